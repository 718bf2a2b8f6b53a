/** What a reader's holder last had trouble with, for those who look from outside, and the settings it runs with. */
export const version2 = (schema: string): string => `
ALTER TABLE ${schema}.reader
  ADD COLUMN trouble text,
  ADD COLUMN trouble_since timestamptz,
  ADD COLUMN settings text;
`
