/** localStorage as JSON; where a browser refuses it, memory that a reload forgets. */

const fallback = new Map();

/** Whether what is remembered outlasts a reload. */
export function lasts() {
  try {
    localStorage.setItem('voiceconv/probe', '');
    localStorage.removeItem('voiceconv/probe');
    return true;
  } catch {
    return false;
  }
}

export function recall(place) {
  try {
    return JSON.parse(localStorage.getItem(place));
  } catch {
    return fallback.get(place) ?? null;
  }
}

export function remember(place, value) {
  fallback.set(place, value);
  try {
    localStorage.setItem(place, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: the test goes on, but does not survive a reload.
  }
}

export function forget(place) {
  fallback.delete(place);
  try {
    localStorage.removeItem(place);
  } catch {
    // As above.
  }
}
