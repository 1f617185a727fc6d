// Which runs have all words that were typed, in their folder or settings; every section follows.
const words = input.value_input.toLowerCase().split(/\s+/).filter((word) => word)
const fits = texts.map((text) => words.every((word) => text.includes(word)))
const count = fits.filter((fit) => fit).length
filters.forEach((filter, k) => { filter.booleans = places[k].map((i) => fits[i]) })
told.text = `${count} of ${fits.length} runs`
