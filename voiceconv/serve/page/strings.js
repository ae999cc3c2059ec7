/** The texts that scripts put into the page; all others are in index.html. */

const TEXTS = {
  decimals: 'en',
  unreachable: 'The server cannot be reached.',
  unreachable_retrying: 'The server cannot be reached at the moment; the page keeps trying.',
  refused: 'The server refused the request with status {status}.',
  models_failed: 'The models cannot be listed: {reason}',

  mic_absent: 'No microphone was found.',
  mic_denied: 'The browser did not allow the page to use the microphone.',
  mic_insecure:
    'Browsers give a page the microphone only over HTTPS or on this machine (localhost).',
  mic_failed: 'The microphone cannot be used: {reason}',
  mic_ended: 'The microphone was disconnected.',

  record: 'Record',
  record_stop: 'Stop recording',
  record_name: 'recording.wav',
  recording: 'Recording.',
  chosen: '{name}, {size}',
  recorded: 'Recorded {seconds} s.',
  recorded_clipped:
    'Recorded {seconds} s. It is too loud and clipped: move away from the microphone.',
  recorded_quiet: 'Recorded {seconds} s. It is very quiet: move closer to the microphone.',
  recorded_longest: 'Recorded {seconds} s, the longest that this page records.',
  recorded_nothing: 'Nothing was recorded.',
  seconds: '{seconds} s',
  kilobytes: '{size} kB',
  megabytes: '{size} MB',

  consent: 'Consent: {said}',
  consent_unknown: 'the makers of this model do not say what the speakers were asked.',

  no_clip: 'Choose or record a recording first.',
  sending: 'Sending the recording',
  queued: 'Waiting in the queue',
  queued_at: 'Waiting, position {position} in the queue',
  running: 'Converting, {percent}%',
  loading: 'Loading the result',
  done: 'The conversion is finished.',
  cancelled: 'The conversion was cancelled.',
  deleted: 'The recording and the result were deleted from the server.',
  failed: 'The conversion failed.',
  result_of: '{name} to {target}',
  download_name: '{name}-{target}.wav',
  unlike: 'This recording is unlike the speech that the model has learned from: {reason}.',
  kept_until: 'The server deletes both recordings at {time}.',

  play: 'Play',
  pause: 'Pause',
  position: '{at} / {end} s',
  position_spoken: '{at} of {end} seconds',
  picture_source: 'Spectrogram of the source',
  picture_result: 'Spectrogram of the result',
  picture: '{which}, {seconds} s. The median pitch is {pitch} Hz.',
  picture_unvoiced: '{which}, {seconds} s. No pitch was found.',
  axis_time: 's',
  axis_frequency: 'Hz',

  look_ahead_default: 'Default of the model',
  milliseconds: '{value} ms',
  live_starting: 'Starting.',
  live_running: 'Converting live.',
  live_muted: 'Converting live, microphone muted.',
  live_stopped: 'Stopped.',
  live_reloaded: 'Stopped, because the page was loaded again. Press Start to go on.',
  live_lost: 'The connection to the server was lost. Press Start to try again.',
  live_slow: 'The connection is too slow for live conversion. Press Start to try again.',
  decibels: '{value} dBFS',
  percent: '{value}%',
  latency_parts:
    'Of the measured latency, {algorithm} ms are the algorithm, {buffer} ms the buffer against ' +
    'late packets, {device} ms the output, and {rest} ms packets, network and computing. The ' +
    "latency of the microphone's own hardware is not in it.",
};

/** The text at a key, its {placeholders} filled from `values`. */
export function text(key, values = {}) {
  return TEXTS[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** A number with a fixed count of decimals. */
export function decimal(value, digits = 1) {
  const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return value.toLocaleString(TEXTS.decimals, format);
}
