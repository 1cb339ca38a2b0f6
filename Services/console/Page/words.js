// Numbers, times and names as people read them.

const numbers = new Intl.NumberFormat("en");
export const number = (value) => numbers.format(value ?? 0);
export const percent = (share) => (share === undefined || share === null ? "–" : `${(100 * share).toFixed(1)} %`);
export const short = (hash) => (hash ? hash.slice(0, 8) : "");
export const words = (text) => (text ?? "").replaceAll("_", " ");

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

// The time of day; with the date where it is another day.
export function time(us) {
  if (!us) return "–";
  const date = new Date(us / 1000);
  return (date.toDateString() === new Date().toDateString() ? clock : day).format(date);
}

export function milliseconds(us) {
  if (us === undefined || us === null) return "–";
  if (us >= 10_000_000) return `${number(Math.round(us / 1_000_000))} s`;
  return `${us < 100_000 ? (us / 1000).toFixed(1) : number(Math.round(us / 1000))} ms`;
}
