/** How often a reader's messages were started, of those that were open when a process ended. */
export const version3 = (schema: string): string => `
ALTER TABLE ${schema}.reader ADD COLUMN starts jsonb NOT NULL DEFAULT '{}';
`
