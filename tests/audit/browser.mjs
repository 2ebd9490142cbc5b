// The browser's module in Node: `browser.mjs MODULE BASE_URL TOKEN PROJECT UP_TO`.
const [module, base, token, project, upTo] = process.argv.slice(2);
const { EventStream } = await import(module);

const ticket = async () => {
  const answer = await fetch(`${base}/api/v1/auth/ws-ticket/`, {
    method: "POST",
    headers: { Authorization: `Token ${token}` },
  });
  return (await answer.json()).ticket;
};
const stream = new EventStream({
  url: `${base.replace("http", "ws")}/ws/`,
  ticket,
  onState: (state) => console.error(state),
});
stream.subscribe(project, {
  window: 3,
  onCaughtUp: () => console.log("caught up"),
  onEvent: (event) => {
    console.log(event.sequence);
    if (event.sequence >= Number(upTo)) stream.close();
  },
});
