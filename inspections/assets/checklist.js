// The form of an item shows what its kind of answer has.
const kind = document.querySelector("#item [name='type']");
if (kind) {
  const parts = document.querySelectorAll("#item [data-for]");
  const show = () => {
    for (const part of parts) part.hidden = !part.dataset.for.split(" ").includes(kind.value);
  };
  kind.addEventListener("change", show);
  show();
}
