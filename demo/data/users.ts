import type { Role, User, UserAddress } from './types.ts';

/** One password for all demo accounts: they exist to be tried out. */
const PASSWORD = 'soko-demo-2026!';

type Person = [key: string, role: Role, name: string, phone: string];

const people: Person[] = [
  ['admin', 'admin', 'Monde Liswaniso', '+260975550100'],
  ['vendor1', 'vendor', 'Mutinta Hamoonga', '+260975550101'],
  ['vendor2', 'vendor', 'Esther Tembo', '+260965550102'],
  ['vendor3', 'vendor', 'Kelvin Mwansa', '+260955550103'],
  ['vendor4', 'vendor', 'Bwalya Chanda', '+260975550104'],
  ['vendor5', 'vendor', 'Precious Zulu', '+260965550105'],
  ['vendor6', 'vendor', 'Chipo Moonga', '+260775550106'],
  ['vendor7', 'vendor', 'Inonge Mubita', '+260955550107'],
  ['vendor8', 'vendor', 'Joseph Kapambwe', '+260975550108'],
  ['vendor9', 'vendor', 'Memory Sakala', '+260965550109'],
  ['vendor10', 'vendor', 'Lubasi Nasilele', '+260775550110'],
  ['vendor11', 'vendor', 'Chisomo Daka', '+260955550111'],
  ['vendor12', 'vendor', 'Patrick Kaluwa', '+260975550112'],
  ['vendor13', 'vendor', 'Haruka Shimizu', '+819055500113'],
  ['staff1', 'vendor', 'Gift Mumba', '+260765550114'],
  ['staff2', 'vendor', 'Natasha Phiri', '+260765550115'],
  ['buyer1', 'customer', 'Thandiwe Ngoma', '+260975550116'],
  ['buyer2', 'customer', 'Mwape Kasonde', '+260965550117'],
  ['buyer3', 'customer', 'Brian Hachipuka', '+260955550118'],
  ['buyer4', 'customer', 'Namakau Sitali', '+260775550119'],
  ['buyer5', 'customer', 'Ruth Chileshe', '+260765550120'],
  ['buyer6', 'customer', 'David Njobvu', '+260975550121'],
  ['agent1', 'agent', 'Moses Lungu', '+260975550122'],
  ['agent2', 'agent', 'Ireen Kabwe', '+260965550123'],
  ['agent3', 'agent', 'Clement Siame', '+260955550124'],
];

type Place = [label: string, line1: string, area: string, landmark: string, lat: number, lng: number];

/** The first address is the default one. */
const places: Record<string, Place[]> = {
  buyer1: [
    ['Home', 'House 112, Chindo Road', 'Woodlands', 'Black gate, two houses after the church', -15.4342, 28.3336],
    ['Work', 'Second floor, Cairo Road', 'Town Centre', 'Above the bank, ask at the lift', -15.4152, 28.2826],
  ],
  buyer2: [['Home', 'House 27, Kasama Road', 'Chilenje South', 'Yellow wall fence with bougainvillea', -15.4557, 28.3242]],
  buyer3: [
    ['Home', 'Plot 4410, Palm Drive', 'Chelston', 'Behind the water kiosk', -15.3662, 28.3817],
    ["Mother's house", 'House 63, Chitanda Road', 'Matero', 'Near the clinic, call on arrival', -15.3728, 28.2581],
  ],
  buyer4: [['Home', 'Flat 5, Paseli Road', 'Northmead', 'Ground floor, left-hand stairs', -15.3978, 28.3006]],
  buyer5: [
    ['Home', 'House 8, Katima Mulilo Road', 'Garden', 'Next to the tailor with the blue door', -15.3881, 28.2951],
    ['Shop', 'Kiosk 2, Alick Nkhata Road', 'Kalingalinga', 'Across from the welders', -15.4047, 28.3329],
  ],
  buyer6: [['Home', 'Plot 219, Leopards Hill Road', 'Kabulonga', 'Ring the bell, beware of the dog', -15.4291, 28.3489]],
};

export const users: User[] = people.map(([key, role, name, phone]) => ({
  key,
  role,
  name,
  email: `${key}@soko.example`,
  password: PASSWORD,
  phone,
  addresses: (places[key] ?? []).map(toAddress),
}));

function toAddress([label, line1, area, landmark, lat, lng]: Place, index: number): UserAddress {
  return {
    label,
    line1,
    area,
    city: 'Lusaka',
    country: 'ZM',
    landmark,
    location: { lat, lng },
    isDefault: index === 0,
  };
}
