import { pictureOf } from "./pictures";

/** The camera, asked for when somebody wants it. Its pictures stay in the page. */
export class Camera {
  private stream: MediaStream | null = null;

  constructor(private readonly video: HTMLVideoElement) {}

  get on(): boolean {
    return this.stream !== null;
  }

  /** Throws with what the visitor can do about it. */
  async start(): Promise<void> {
    if (!("mediaDevices" in navigator))
      throw new Error(
        "A browser gives its camera only to pages served by https or from localhost. Folders work as well.",
      );
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 320 }, height: { ideal: 240 }, facingMode: { ideal: "environment" } },
      });
    } catch (error) {
      throw new Error(`${whyNot(error)} Folders of pictures work as well.`);
    }
    this.video.srcObject = this.stream;
    await this.video.play();
  }

  stop(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }

  /** What it sees now. */
  picture(): Promise<Uint8Array> {
    return pictureOf(this.video);
  }
}

function whyNot(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return "The camera was not allowed: the browser's address bar has its setting.";
  if (name === "NotFoundError") return "There is no camera here.";
  if (name === "NotReadableError") return "Another program has the camera.";
  return `The camera does not start: ${error instanceof Error ? error.message : String(error)}.`;
}
