// A page that waits for the worker: each state is shown, and the page comes again once it is done.
export function watch(show) {
  const working = document.querySelector("#working");
  if (!working) return;
  const ask = async () => {
    try {
      const answer = await fetch(working.dataset.state, { headers: { Accept: "application/json" } });
      return answer.ok ? await answer.json() : null;
    } catch {
      // The service may be away for a moment: it is asked again.
      return null;
    }
  };
  const look = async () => {
    const state = await ask();
    if (state && !state.working) { window.location.reload(); return; }
    window.setTimeout(look, 1000);
    if (state) show(working, state);
  };
  look();
}
