// Charts of numbers that the page also has as a table.
"use strict";
(() => {
  const COLOURS = {
    light: ["#066fd1", "#2b8a3e", "#ae3ec9", "#c2255c"],
    dark: ["#4da3f0", "#51cf66", "#cc8ee0", "#f783ac"],
  };
  const charts = new Map();
  const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

  function draw(canvas) {
    const given = JSON.parse(canvas.dataset.chart);
    const dark = document.documentElement.dataset.bsTheme === "dark";
    const ink = dark ? "#c8d3e1" : "#3a4859";
    const colours = COLOURS[dark ? "dark" : "light"];
    const stacked = given.kind === "bar";
    const datasets = given.series.map((series, place) => ({
      label: series.name, data: series.values, backgroundColor: colours[place], borderColor: colours[place],
      borderWidth: stacked ? 0 : 2, pointRadius: 2, spanGaps: true,
    }));
    charts.set(canvas, new Chart(canvas, {
      type: given.kind,
      data: { labels: given.hours.map((at) => hour.format(new Date(at))), datasets },
      options: {
        animation: false, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
        plugins: { legend: { position: "bottom", labels: { color: ink, boxWidth: 12 } } },
        scales: {
          x: { stacked, ticks: { color: ink, maxTicksLimit: 8 }, grid: { display: false } },
          y: { stacked, beginAtZero: true, ticks: { color: ink, precision: 0 }, grid: { color: dark ? "#2c3a4d" : "#e1e6ec" } },
        },
      },
    }));
  }

  function drawAll() {
    for (const [canvas, chart] of charts) {
      chart.destroy();
      charts.delete(canvas);
    }
    all("canvas[data-chart]").forEach(draw);
  }
  document.addEventListener("theme", drawAll);
  document.addEventListener("htmx:afterSettle", (event) => find("canvas[data-chart]", event.target) && drawAll());
  drawAll();
})();
