// The checklist's pages: the form shows what its kind of answer has; a back-test is waited for.
import { _, number, ready } from "core/texts";

await ready;

const kind = document.querySelector("#item [name='type']");
if (kind) {
  const parts = document.querySelectorAll("#item [data-for]");
  const show = () => {
    for (const part of parts) part.hidden = !part.dataset.for.split(" ").includes(kind.value);
  };
  kind.addEventListener("change", show);
  show();
}

const working = document.querySelector("#working");
if (working) {
  const bar = working.querySelector("progress");
  const text = working.querySelector("[role=status]");
  const look = async () => {
    try {
      const answer = await fetch(working.dataset.state, { headers: { Accept: "application/json" } });
      if (answer.ok) {
        const state = await answer.json();
        if (!state.working) { window.location.reload(); return; }
        if (state.total) {
          bar.max = state.total;
          bar.value = state.done;
          text.textContent = _("%(done)s of %(total)s answers", { done: number(state.done), total: number(state.total) });
        }
      }
    } catch {
      // The service may be away for a moment: it is asked again.
    }
    window.setTimeout(look, 1000);
  };
  look();
}
