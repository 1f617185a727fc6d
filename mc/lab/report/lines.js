// The lines of those runs that are chosen in the table and fit the filter, for the chosen paths.
const fits = (row) => filter.booleans === null || filter.booleans[row]
const chosen = table.selected.indices.filter(fits).sort((a, b) => a - b)
const order = new Map(chosen.map((row, k) => [row, k]))
const paths = new Set(buttons.active.map((i) => buttons.labels[i]))
const by_run = colours.active === 1
const palette_of = (row) => palette[order.get(row) % palette.length]
const part = (values, first, last) => Array.prototype.slice.call(values, first, last)
const found = {label: [], colour: [], dash: []}
for (const key of Object.keys(points.data)) found[key] = []
lines.data.row.forEach((row, i) => {
    const path = lines.data.path[i]
    if (!order.has(row) || !paths.has(path)) return
    const name = table.data.folder[row].split("/").pop()
    found.label.push(`${name}: ${path}`)
    found.colour.push(by_run ? palette_of(row) : looks[path].colour)
    found.dash.push(looks[path].dash)
    for (const key of Object.keys(points.data))
        found[key].push(part(points.data[key], lines.data.first[i], lines.data.last[i]))
})
shown.data = found
for (const [name, panel] of Object.entries(panels)) // those of other tasks are left out
    panel.visible = found[name].some((line) => line.some(Number.isFinite)) || !chosen.length
const swatches = table.data.folder.map((_, row) => (by_run && order.has(row) ? palette_of(row) : ""))
if (swatches.some((colour, row) => colour !== table.data.colour[row])) {
    table.data.colour = swatches
    view.change.emit() // which draws the table anew
}
