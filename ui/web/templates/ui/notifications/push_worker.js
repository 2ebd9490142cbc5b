{% load static %}// Shows what Paraph says, and opens its page where it is clicked. Nothing is decided by that.

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  const said = event.data.json();
  const options = { body: said.body, tag: said.id, data: said.link, icon: "{% static 'ui/icon-192.png' %}" };
  event.waitUntil(self.registration.showNotification(said.title, options));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  // Only pages of this origin, whatever name of it the message has.
  const { pathname } = new URL(event.notification.data);
  event.waitUntil(self.clients.openWindow(pathname));
});
