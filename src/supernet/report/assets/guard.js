"use strict";
// An error in a script must be seen: it shows on the page, in the title, and as an attribute that tests read.
(() => {
  function show(message) {
    document.documentElement.dataset.error = message;
    document.title = "Error: " + message;
    const place = document.getElementById("problem");
    if (place) {
      place.hidden = false;
      place.textContent = "A chart of this page could not be drawn: " + message;
    }
  }
  addEventListener("error", (event) => show(event.message));
  addEventListener("unhandledrejection", (event) => show(String(event.reason)));
  addEventListener("securitypolicyviolation", (event) => {
    document.documentElement.dataset.blocked = event.blockedURI;
  });
})();
