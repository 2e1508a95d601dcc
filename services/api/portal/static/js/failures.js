// What becomes of a request that gets no answer: it is said, and nothing typed is lost.
import { toast } from "./toasts.js";

/** Say when the server can't be reached, and when it can again. */
export function startFailures() {
  let away = false;
  document.addEventListener("htmx:sendError", () => {
    if (!away) toast("The server can't be reached. What you typed is still here; try again in a moment.", "wrong");
    away = true;
  });
  document.addEventListener("htmx:afterOnLoad", () => (away = false));
}
