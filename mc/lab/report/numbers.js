// A number of the runs that fit the filter against a setting: mean and deviation at each value.
const key = against.value, by = apart.value, name = number.value
const y = numbers.data[name], x = settings.data[key]
const group = (i) => (by === NONE ? "" : String(settings.data[by][i]))
const there = [...y.keys()].filter((i) =>
    (filter.booleans === null || filter.booleans[i]) && Number.isFinite(y[i]) &&
    x[i] !== "" && x[i] === x[i])

const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;")

// Places on the axis: of numbers their values, or logarithms where these span decades; of words
// their order.
const values = [...new Set(there.map((i) => x[i]))]
const numeric = values.every((value) => typeof value === "number")
numeric ? values.sort((a, b) => a - b) : values.sort()
const decades = numeric && values[0] > 0 && values[values.length - 1] > 50 * values[0]
const place = new Map(values.map((value, k) =>
    [value, numeric ? (decades ? Math.log10(value) : value) : k]))
const step = Math.ceil(values.length / 12)
const ticked = values.filter((_, k) => k % step === 0)
axis.ticker.ticks = ticked.map((value) => place.get(value))
axis.major_label_overrides =
    new Map(ticked.map((value) => [place.get(value), numeric ? String(+value.toPrecision(4)) : value]))
axis.axis_label = decades ? `${key}, log scale` : key
y_axis.axis_label = name

const groups = [...new Set(there.map(group))].sort()
const own = name.startsWith("curve/") ? curve : /^(linear|chain)\//.test(name) ? segment : "#333333"
const colour = (g) => (by === NONE ? own : palette[groups.indexOf(g) % palette.length])
const lines = {x: [], y: [], colour: [], label: []}
const points = {x: [], y: [], low: [], high: [], colour: [], label: [], runs: [], value: [], std: []}
const over = new Set()
for (const g of groups) {
    const line = [[], []]
    for (const value of values) {
        const runs = there.filter((i) => x[i] === value && group(i) === g)
        if (!runs.length) continue
        const mean = runs.reduce((sum, i) => sum + y[i], 0) / runs.length
        const square = runs.reduce((sum, i) => sum + (y[i] - mean) ** 2, 0)
        const std = runs.length > 1 ? Math.sqrt(square / (runs.length - 1)) : 0
        for (const setting of Object.keys(settings.data))
            if (setting !== "folder" && setting !== key && setting !== by &&
                new Set(runs.map((i) => String(settings.data[setting][i]))).size > 1) over.add(setting)
        line[0].push(place.get(value)); line[1].push(mean)
        const row = {x: place.get(value), y: mean, low: mean - std, high: mean + std, std,
                     colour: colour(g), label: g, runs: runs.length, value: String(value)}
        for (const column of Object.keys(points)) points[column].push(row[column])
    }
    lines.x.push(line[0]); lines.y.push(line[1]); lines.colour.push(colour(g)); lines.label.push(g)
}
mean_lines.data = lines
means.data = points
singles.data = {
    x: there.map((i) => place.get(x[i])), y: there.map((i) => y[i]),
    colour: there.map((i) => colour(group(i))), folder: there.map((i) => settings.data.folder[i]),
}
const named = groups.map((g) => `<span style="color: ${colour(g)}">&#9679;</span> ${escaped(g)}`)
told.text = (by === NONE ? "" : `<p>${escaped(by)}: ${named.join("&emsp;")}</p>`) +
    `<p>${there.length} runs, a faint dot each. ` + (over.size
        ? `Means and standard deviations are over: ${escaped([...over].join(", "))}.</p>`
        : "None of them repeats another.</p>")
