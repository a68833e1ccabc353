// The browser is looked for on the machine first and fetched only where there is none: see scripts/chrome.mjs.
module.exports = { skipDownload: true };
