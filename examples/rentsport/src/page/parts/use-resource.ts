import { useCallback, useEffect, useState } from 'preact/hooks'
import { call, type ApiError } from '../api.ts'

export interface Resource<T> {
  readonly value: T | undefined
  readonly error: ApiError | undefined
  reload(): void
}

/** What `path` answers, asked again every `everyMs` while the page is in front. */
export function useResource<T>(path: string, everyMs: number): Resource<T> {
  const [state, setState] = useState<{ path: string; value?: T; error?: ApiError }>({ path })
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    let current = true
    const load = async () => {
      if (document.hidden) return
      try {
        const value = await call<T>('GET', path)
        if (current) setState({ path, value })
      } catch (error) {
        if (current) setState((before) => ({ ...before, error: error as ApiError }))
      }
    }
    void load()
    const timer = setInterval(() => void load(), everyMs)
    return () => {
      current = false
      clearInterval(timer)
    }
  }, [path, everyMs, turn])
  const reload = useCallback(() => setTurn((before) => before + 1), [])
  return { value: state.path === path ? state.value : undefined, error: state.error, reload }
}
