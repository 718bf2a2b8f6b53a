/**
 * What an inbox remembers lies in the order of its time: the sweep finds what is old by a summary of pages. An index of
 * each row was a third of what remembering costs.
 */
export const version5 = (schema: string): string => `
DROP INDEX ${schema}.inbox_handled;
CREATE INDEX inbox_handled ON ${schema}.inbox USING brin (handled_at) WITH (autosummarize = on);
`
