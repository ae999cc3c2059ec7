/** The page of `voiceconv serve`. */

import { models } from './api.js';
import { startConvert } from './convert.js';
import { byId, say } from './dom.js';
import { startLive } from './live.js';
import { text } from './strings.js';
import { startTabs } from './tabs.js';

startTabs();
let offered;
try {
  offered = await models();
} catch (error) {
  say(byId('unavailable'), text('models_failed', { reason: error.message }));
}
if (offered) {
  startConvert(offered);
  startLive(offered);
  document.body.dataset.ready = '';
}
