/** The tabs: arrow keys go from one to the next; the address remembers the one shown. */

const tabs = [...document.querySelectorAll('[role=tab]')];

function panelOf(tab) {
  return document.getElementById(tab.getAttribute('aria-controls'));
}

function show(shown) {
  for (const tab of tabs) {
    tab.setAttribute('aria-selected', tab === shown);
    tab.tabIndex = tab === shown ? 0 : -1;
    panelOf(tab).hidden = tab !== shown;
  }
}

function choose(tab) {
  show(tab);
  history.replaceState(null, '', `#${panelOf(tab).id}`);
}

function showAddressed() {
  show(tabs.find((tab) => `#${panelOf(tab).id}` === location.hash) ?? tabs[0]);
}

function move(event) {
  const at = tabs.indexOf(event.currentTarget);
  const goal = {
    ArrowRight: (at + 1) % tabs.length,
    ArrowLeft: (at + tabs.length - 1) % tabs.length,
    Home: 0,
    End: tabs.length - 1,
  }[event.key];
  if (goal === undefined) return;
  event.preventDefault();
  choose(tabs[goal]);
  tabs[goal].focus();
}

export function startTabs() {
  for (const tab of tabs) {
    tab.addEventListener('click', () => choose(tab));
    tab.addEventListener('keydown', move);
  }
  addEventListener('hashchange', showAddressed);
  showAddressed();
}
