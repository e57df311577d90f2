import type { Upstream } from "../ports/upstream.ts";

/** The same calls; `heard` is told of each answer's head and of each no, which are words of an engine or of its host. */
export const hearingUpstream = (upstream: Upstream, heard: () => void): Upstream => ({
  call: (to, request, events) =>
    upstream.call(to, request, {
      head: (status, headers) => {
        heard();
        events.head(status, headers);
      },
      data: (lent) => events.data(lent),
      end: () => events.end(),
      failed: (failure) => {
        if (failure.code !== "CONNECT_TIMEOUT") heard();
        events.failed(failure);
      },
    }),
});
