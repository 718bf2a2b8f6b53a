import { useEffect, useMemo, useState } from 'preact/hooks'
import { firstLanguage, LanguageContext, languageFor, type LanguageCode } from './language.ts'
import type { User } from './model.ts'
import { useResource } from './parts/use-resource.ts'
import { Catalogue } from './views/catalogue.tsx'
import { Notifications } from './views/notifications.tsx'
import { Operations } from './views/operations.tsx'
import { Owner } from './views/owner.tsx'
import { Rentals } from './views/rentals.tsx'
import { Report } from './views/report.tsx'

const VIEWS = {
  catalogue: Catalogue,
  rentals: Rentals,
  notifications: Notifications,
  owner: Owner,
  report: Report,
  operations: Operations,
} as const
type ViewName = keyof typeof VIEWS

export function App() {
  const [code, setCode] = useState<LanguageCode>(firstLanguage)
  const [view, setView] = useState<ViewName>(viewOfAddress)
  const [userId, setUserId] = useState(() => Number(localStorage.getItem('user')) || 1)
  const language = useMemo(() => languageFor(code), [code])
  const users = useResource<readonly User[]>('/api/users', 60_000).value ?? []

  useEffect(() => {
    document.documentElement.lang = code
    localStorage.setItem('language', code)
  }, [code])
  useEffect(() => localStorage.setItem('user', String(userId)), [userId])
  useEffect(() => {
    const onChange = () => setView(viewOfAddress())
    addEventListener('hashchange', onChange)
    return () => removeEventListener('hashchange', onChange)
  }, [])

  const View = VIEWS[view]
  const { texts } = language
  return (
    <LanguageContext.Provider value={language}>
      <header>
        <a class="brand" href="#catalogue">
          <b>{texts.title}</b>
          <span>{texts.tagline}</span>
        </a>
        <label class="who">
          {texts.iAm}
          <select name="user" value={userId} onChange={(event) => setUserId(Number(event.currentTarget.value))}>
            {users.map((user) => (
              <option key={user.id} value={user.id}>
                {user.name}
              </option>
            ))}
          </select>
        </label>
        <div class="languages" role="group">
          {(['en', 'ru'] as const).map((choice) => (
            <button key={choice} lang={choice} aria-pressed={choice === code} onClick={() => setCode(choice)}>
              {choice.toUpperCase()}
            </button>
          ))}
        </div>
      </header>
      <nav>
        {(Object.keys(VIEWS) as ViewName[]).map((name) => (
          <a key={name} href={`#${name}`} aria-current={name === view ? 'page' : undefined}>
            {texts.views[name]}
          </a>
        ))}
      </nav>
      <main>
        <View userId={userId} />
      </main>
    </LanguageContext.Provider>
  )
}

function viewOfAddress(): ViewName {
  const name = location.hash.slice(1)
  return Object.hasOwn(VIEWS, name) ? (name as ViewName) : 'catalogue'
}
