// Says on the page why a security key did not work, where allauth would tell the console alone.

const REASONS = {
  InvalidStateError: "This key is added already.",
  NotAllowedError: "No key answered in time, or it was cancelled. Try again.",
  SecurityError: `Keys work on pages by https, and on this machine at http://localhost, not at ${location.hostname}.`,
};

document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const { exception } = event.detail;
  const problem = document.getElementById("key-problem");
  problem.textContent = REASONS[exception.name] ?? `The browser could not: ${exception.message}`;
  problem.hidden = false;
});
