// How far the worker is, by number where it knows the whole.
import { watch } from "core/working";

watch((working, state) => {
  if (!state.total) return;
  const bar = working.querySelector("progress");
  bar.max = state.total;
  bar.value = state.done;
  working.querySelector("[role=status]").textContent = state.text;
});
