// Browsers refuse a worker to a page that was opened from a file. The search needs one, so there
// it gets a frame with the same interface. On a server this file does nothing.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const waiting = [], frame = document.createElement("iframe");
      this.postMessage = (data) => waiting.push(data);
      frame.hidden = true;
      frame.srcdoc = `<script>postMessage = (data) => frameElement.said(data)</script>
        <script src="${url}"></script>`;
      frame.said = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      frame.onload = () => {
        this.postMessage = (data) =>
          frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
        waiting.forEach(this.postMessage);
      };
      document.body.append(frame);
    }
  };
}
