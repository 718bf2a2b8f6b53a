import { useLanguage } from '../language.ts'
import type { Equipment } from '../model.ts'

/** What equipment is called in the person's language. */
export function Name({ of: { name_en, name_ru } }: { readonly of: Equipment }) {
  const { code } = useLanguage()
  return <h3>{code === 'ru' ? name_ru : name_en}</h3>
}
