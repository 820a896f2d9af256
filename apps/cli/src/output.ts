/** Where the CLI's text goes. */
export interface Output {
  write(text: string): void;
  writeError(text: string): void;
  /** A person sits there: progress may be redrawn. */
  readonly isTerminal: boolean;
  /** The same of standard error. */
  readonly isErrorTerminal: boolean;
  /** Characters in a line of the terminal. */
  width(): number;
  /** Asks and gives the line that was typed; `undefined` when nobody is there to answer. */
  ask(question: string): Promise<string | undefined>;
}

const DEFAULT_WIDTH = 100;

export const processOutput = (): Output => {
  // `liftlock events | head`: nobody reads on, so there is nothing more to do
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
  return {
    write: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    isTerminal: process.stdout.isTTY,
    isErrorTerminal: process.stderr.isTTY,
    // a terminal that was given no size says 0
    width: () => process.stdout.columns || process.stderr.columns || DEFAULT_WIDTH,
    async ask(question) {
      if (!process.stdin.isTTY) return undefined;
      const { createInterface } = await import('node:readline/promises');
      const prompt = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return await prompt.question(question);
      } finally {
        prompt.close();
      }
    },
  };
};

/** One line of text, or one JSON document with `-o json`. */
export type Format = 'text' | 'json';

export const line =
  (output: Output) =>
  (text: string): void =>
    output.write(`${text}\n`);

/** Pretty for a person at the terminal, in one line for a program. */
export function writeJson(output: Output, value: unknown): void {
  output.write(`${JSON.stringify(value, undefined, output.isTerminal ? 2 : 0)}\n`);
}
