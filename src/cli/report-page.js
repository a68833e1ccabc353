// @ts-nocheck: what the report's page runs, beside uPlot and its data.
(() => {
  const { title, epochs, loss, heldBack, accuracy } = JSON.parse(document.getElementById("data").textContent);
  const has = (values) => values.some((value) => value !== null);
  const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
  const axis = {
    stroke: styleOf("--ink"),
    grid: { stroke: styleOf("--line"), width: 1 },
    ticks: { stroke: styleOf("--line"), width: 1 },
  };
  const draw = (id, title, series, columns) =>
    new uPlot(
      {
        title,
        width: Math.min(860, document.body.clientWidth - 32),
        height: 300,
        scales: { x: { time: false } },
        axes: [{ ...axis, label: "epoch", incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000, 100000] }, axis],
        series: [{ label: "epoch" }, ...series],
      },
      [epochs, ...columns],
      document.getElementById(id),
    );
  const line = (label, color) => ({ label, stroke: styleOf(color), width: 2, points: { show: epochs.length < 30 } });
  draw(
    "loss",
    title,
    [line("training", "--first"), ...(has(heldBack) ? [line("held back", "--second")] : [])],
    [loss, ...(has(heldBack) ? [heldBack] : [])],
  );
  if (has(accuracy))
    draw("accuracy", "share of rows held back that are right", [line("accuracy", "--second")], [accuracy]);
})();
