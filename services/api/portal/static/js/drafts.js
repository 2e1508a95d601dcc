// What is typed and not yet sent, kept in this browser for each person, case and conversation: it outlives a reload, a lost
// connection and a refused send. With it goes the key under which it was last sent, so that nothing is sent twice.

const PREFIX = "casebound.draft ";
const KEPT_MS = 30 * 24 * 3600 * 1000;

/** The place of a draft: `{load, save, drop}`. */
export function draftOf(...where) {
  const name = PREFIX + [document.body.dataset.visitor, document.body.dataset.desk, ...where].join(" ");
  return {
    load: () => {
      try {
        return JSON.parse(localStorage.getItem(name));
      } catch {
        return null;
      }
    },
    /** Returns whether it could be kept. */
    save: (draft) => {
      try {
        localStorage.setItem(name, JSON.stringify({ ...draft, at: Date.now() }));
        return true;
      } catch {
        return false;
      }
    },
    drop: () => localStorage.removeItem(name),
  };
}

/** Forget drafts that nobody has come back to. */
export function forgetOldDrafts() {
  for (const name of Object.keys(localStorage).filter((each) => each.startsWith(PREFIX))) {
    try {
      if (!(JSON.parse(localStorage.getItem(name)).at > Date.now() - KEPT_MS)) localStorage.removeItem(name);
    } catch {
      localStorage.removeItem(name);
    }
  }
}
