/** Chance. The simulated adapter is seeded; production draws from the system. */
export interface Random {
  /** 0 <= x < 1. */
  next(): number;
  /** Lower-case hexadecimal, unguessable in production; `byteCount` bytes = twice as many characters. */
  token(byteCount: number): string;
}
