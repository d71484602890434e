// The service worker of the field app: it keeps the app's own files and answers for those alone,
// and only what is asked for with GET. Whatever is sent goes straight to the service.
import { cleanupOutdatedCaches, createHandlerBoundToURL, precacheAndRoute } from "workbox-precaching";
import { NavigationRoute, registerRoute } from "workbox-routing";

precacheAndRoute(self.__FILES__);
cleanupOutdatedCaches();
registerRoute(new NavigationRoute(createHandlerBoundToURL("/field"), { allowlist: [/^\/field\/?(\?.*)?$/] }));

// The first visit is served by the network; from the second one on this worker has everything.
self.addEventListener("activate", (event) => { event.waitUntil(self.clients.claim()); });
// A new version waits until nobody is in the middle of something.
self.addEventListener("message", (event) => { if (event.data === "take over") self.skipWaiting(); });
