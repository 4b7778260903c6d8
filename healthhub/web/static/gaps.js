// Keys of the gap pages: j and k go through the rows, 1 to 8 preview a proposal. Without it all works by Tab.
(function () {
  "use strict";
  function typing(e) {
    return e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName);
  }
  document.addEventListener("keydown", function (e) {
    if (typing(e)) { return; }
    var links = Array.prototype.slice.call(document.querySelectorAll("[data-rows] tbody th a"));
    var at = links.indexOf(document.activeElement);
    if (links.length && (e.key === "j" || e.key === "k")) {
      var next = e.key === "j" ? Math.min(at + 1, links.length - 1) : Math.max(at - 1, 0);
      links[next].focus();
      e.preventDefault();
    }
    var buttons = document.querySelectorAll("[data-proposals] button");
    if (/^[1-8]$/.test(e.key) && buttons.length >= Number(e.key)) {
      buttons[Number(e.key) - 1].click();
      e.preventDefault();
    }
  });
})();
