// Being told in this browser: asks it for a subscription, and hands that in as a form.

const card = document.getElementById("push");
const form = document.getElementById("subscribe");
const problem = document.getElementById("push-problem");

function complain(text) {
  problem.textContent = text;
  problem.hidden = false;
}

function bytes(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
}

function isFor(subscription, key) {
  const theirs = new Uint8Array(subscription.options.applicationServerKey ?? []);
  return theirs.length === key.length && theirs.every((value, place) => value === key[place]);
}

async function subscribe(registration) {
  if ((await Notification.requestPermission()) !== "granted") {
    complain("This browser lets no page show anything: allow notifications for this site in its settings.");
    return;
  }
  const key = bytes(card.dataset.key);
  const before = await registration.pushManager.getSubscription();
  if (before && !isFor(before, key)) await before.unsubscribe();
  const options = { userVisibleOnly: true, applicationServerKey: key };
  const { endpoint, keys } = (await registration.pushManager.subscribe(options)).toJSON();
  form.elements.endpoint.value = endpoint;
  form.elements.p256dh.value = keys.p256dh;
  form.elements.auth.value = keys.auth;
  form.submit();
}

async function start() {
  if (!("serviceWorker" in navigator) || !("PushManager" in window)) {
    complain("This browser can't: it needs https, and on an iPhone or iPad Paraph on its home screen.");
    return;
  }
  const registration = await navigator.serviceWorker.register(card.dataset.worker);
  const subscription = await registration.pushManager.getSubscription();
  const own = [...card.querySelectorAll("[data-endpoint]")].find(
    (row) => row.dataset.endpoint === subscription?.endpoint,
  );
  if (own) own.querySelector("[data-this-browser]").hidden = false;
  form.hidden = Boolean(own);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    subscribe(registration).catch((error) => complain(`The browser could not: ${error.message}`));
  });
  card.dataset.ready = "";
}

start().catch((error) => complain(`The browser could not: ${error.message}`));
