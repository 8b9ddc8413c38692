// A place where files are dropped or chosen: they go to the server in pieces, each when the one before it has arrived.
const PIECE = 2 * 1024 * 1024

export function render({model}) {
  const area = document.createElement("label")
  area.innerHTML = `
    <input type="file" multiple aria-label="Upload data">
    <span class="words"></span><span class="hint"></span>
    <progress max="1"></progress><button type="button">Cancel</button>`
  const [input, words, hint, progress, cancel] = area.children
  let all = null

  const show = () => {
    area.className = model.phase
    words.textContent = model.words
    hint.textContent = model.hint
    input.disabled = model.phase === "coming" || model.phase === "reading"
  }
  const send = (files) => {
    if (input.disabled || !files.length) { return }
    all = new Blob(files)
    progress.value = 0
    model.send_msg({begin: files.map((file) => [file.name, file.size])})
  }
  const more = async ({from}) => {
    progress.value = from / all.size
    try {
      model.send_msg({piece: await all.slice(from, from + PIECE).arrayBuffer()})
    } catch {
      model.send_msg({cancel: "The file can't be read any more: choose it again"})
    }
  }

  input.addEventListener("change", () => { send([...input.files]); input.value = "" })
  cancel.addEventListener("click", (event) => { event.preventDefault(); model.send_msg({cancel: ""}) })
  area.addEventListener("dragover", () => area.classList.add("over"))
  area.addEventListener("dragleave", () => area.classList.remove("over"))
  area.addEventListener("drop", (event) => { area.classList.remove("over"); send([...event.dataTransfer.files]) })
  if (!window.vaevizKeepsPage) {  // a file that is dropped beside the place would take the page's own
    window.vaevizKeepsPage = true
    for (const kind of ["dragover", "drop"]) { window.addEventListener(kind, (event) => event.preventDefault()) }
  }
  model.on(["phase", "words", "hint"], show)
  model.on("msg:custom", more)
  show()
  return area
}
