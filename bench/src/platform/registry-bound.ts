/** One line: a figure and what it must not exceed, or not fall below. */
export interface Bound {
  readonly name: string;
  readonly measured: number;
  readonly limit: number;
  readonly unit: string;
  readonly met: boolean;
}

export function atMost(name: string, measured: number, limit: number, unit: string): Bound {
  return { name, measured: Number(measured.toPrecision(4)), limit, unit, met: measured <= limit };
}

export function atLeast(name: string, measured: number, limit: number, unit: string): Bound {
  return { ...atMost(name, measured, limit, unit), met: measured >= limit };
}
