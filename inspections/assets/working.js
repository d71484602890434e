// A page that waits for the worker: how far it is, and the page again once it is done.
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
          text.textContent = state.text;
        }
      }
    } catch {
      // The service may be away for a moment: it is asked again.
    }
    window.setTimeout(look, 1000);
  };
  look();
}
