/** How first contact and satisfaction went, day by day. */
export function Trend() {
  return null;
}
