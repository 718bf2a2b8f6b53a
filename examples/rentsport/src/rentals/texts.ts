interface Named {
  readonly name_en: string
  readonly name_ru: string
}

/** The text of a notification, in the language of the one who gets it. */
export function expiryText(language: 'ru' | 'en', equipment: Named): string {
  return language === 'ru'
    ? `Срок аренды истёк: ${equipment.name_ru}. Пожалуйста, верните инвентарь.`
    : `Your rental has expired: ${equipment.name_en}. Please bring it back.`
}

/** The text of a notification, in the language of the one who gets it. */
export function maintenanceText(language: 'ru' | 'en', equipment: Named): string {
  return language === 'ru'
    ? `Требуется обслуживание: ${equipment.name_ru}.`
    : `Maintenance is required: ${equipment.name_en}.`
}
