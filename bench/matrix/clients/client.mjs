// Two POSTs over one connection with node's fetch: URL, size, length or chunked.
const [url, size, encoding] = process.argv.slice(2);
const piece = Buffer.alloc(Math.min(Number(size), 65536), 120);

function stream() {
  let left = Number(size);
  return new ReadableStream({
    pull(controller) {
      if (left === 0) return controller.close();
      const part = piece.subarray(0, Math.min(left, piece.length));
      left -= part.length;
      controller.enqueue(part);
    },
  });
}

for (let i = 0; i < 2; i++) {
  try {
    const body = encoding === "chunked" ? stream() : Buffer.alloc(Number(size), 120);
    const answer = await fetch(url, { method: "POST", body, duplex: "half", redirect: "manual" });
    console.log(answer.status, await answer.text());
  } catch (error) {
    console.log("error", error.cause?.code ?? error.cause ?? error);
  }
}
