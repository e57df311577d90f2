/** Resolves when every promise that can settle now has settled: one turn of the event loop, however deep the chains are. */
export const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
