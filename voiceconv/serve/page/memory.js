/** Values as JSON in sessionStorage: a tab remembers them through a reload. */

export function recall(key) {
  try {
    return JSON.parse(sessionStorage.getItem(`voiceconv/${key}`));
  } catch {
    return null; // storage is forbidden
  }
}

export function remember(key, value) {
  try {
    sessionStorage.setItem(`voiceconv/${key}`, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: a reload forgets.
  }
}

export function forget(key) {
  try {
    sessionStorage.removeItem(`voiceconv/${key}`);
  } catch {
    // As above.
  }
}
