import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import { english, type Texts } from './texts-en.ts'
import { russian } from './texts-ru.ts'

export type LanguageCode = 'en' | 'ru'

/** Everything on the page that depends on the person's language. */
export interface Language {
  readonly code: LanguageCode
  readonly texts: Texts
  money(minor: number, currency: string): string
  time(iso: string): string
  /** What an error code, or the text of a refused payment, means; the given text where there is no translation. */
  reason(code: string, text: string): string
}

const TEXTS: Readonly<Record<LanguageCode, Texts>> = { en: english, ru: russian }

export function languageFor(code: LanguageCode): Language {
  const texts = TEXTS[code]
  const time = new Intl.DateTimeFormat(code, { dateStyle: 'medium', timeStyle: 'short' })
  return {
    code,
    texts,
    money: (minor, currency) => new Intl.NumberFormat(code, { style: 'currency', currency }).format(minor / 100),
    time: (iso) => time.format(new Date(iso)),
    reason: (reasonCode, text) => texts.reasons[reasonCode] ?? text,
  }
}

/** What the browser asks for, unless the person chose already. */
export function firstLanguage(): LanguageCode {
  const chosen = localStorage.getItem('language')
  if (chosen === 'en' || chosen === 'ru') return chosen
  return navigator.language.toLowerCase().startsWith('ru') ? 'ru' : 'en'
}

export const LanguageContext = createContext<Language>(languageFor('en'))
export const useLanguage = (): Language => useContext(LanguageContext)
