(function () {
  "use strict";
  var plots = Array.prototype.slice.call(document.querySelectorAll(".plot"));
  var hovers = window.matchMedia("(hover: hover)").matches;
  function draw(plot) {
    var figure = JSON.parse(document.getElementById(plot.id + "-data").textContent);
    Plotly.newPlot(plot, figure.data, figure.layout, {
      responsive: true, displaylogo: false, displayModeBar: hovers ? "hover" : false, showSendToCloud: false, modeBarButtonsToRemove: ["lasso2d", "select2d"]
    });
  }
  // One figure per frame keeps the page readable while it draws.
  function next(index) {
    if (index < plots.length) {
      draw(plots[index]);
      window.setTimeout(function () { next(index + 1); }, 0);
    }
  }
  next(0);
  function fit() { plots.forEach(function (plot) { if (plot.data) { Plotly.Plots.resize(plot); } }); }
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("main details").forEach(function (item) { item.open = true; });
    fit();
  });
  window.addEventListener("afterprint", fit);
})();
