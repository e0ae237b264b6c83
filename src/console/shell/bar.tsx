import { Bell, BellOff, CircleQuestionMark, CircleUserRound, VolumeX } from 'lucide-react';
import { useSyncExternalStore } from 'react';
import { Dialog, DialogTrigger } from 'react-aria-components/Dialog';
import { Popover } from 'react-aria-components/Popover';
import { AlertSettings } from '../alerts/alert-settings.tsx';
import { useAlerts } from '../alerts/alerts-context.tsx';
import { KINDS, muteOf } from '../alerts/mutes.ts';
import { allowSounds, onSoundsChange, soundsBlocked } from '../alerts/sounds.ts';
import { Button } from '../components/button.tsx';
import { CONNECTION } from '../live/live.ts';
import { useLiveValue } from '../live/live-context.tsx';
import { useApp } from '../session/app-context.ts';
import { forgetDrafts } from '../session/drafts.ts';
import { useMe } from '../session/me.ts';
import { chooseTheme, type ThemeChoice, useThemeChoice } from '../session/theme.ts';
import { useCurrentTitle } from './title.tsx';

const WORDS = {
  connecting: 'Connecting…',
  live: 'Live',
  delayed: 'The server can’t read what happens right now; it will come later.',
  offline: 'No network. What you see may be out of date.',
  broken: 'Connection lost, trying again…',
  refused: 'The server refuses the connection, trying again…',
} as const;

function ConnectionState() {
  const connection = useLiveValue(CONNECTION, (live) => live.connection);
  const words = WORDS[connection.state === 'lost' ? connection.reason : connection.state];
  return (
    <div className="connection" data-state={connection.state} role="status">
      <span className="connection-dot" aria-hidden />
      <span>{words}</span>
    </div>
  );
}

const THEMES: readonly { readonly id: ThemeChoice; readonly label: string }[] = [
  { id: 'system', label: 'System' },
  { id: 'light', label: 'Light' },
  { id: 'dark', label: 'Dark' },
];

function PersonMenu() {
  const { session } = useApp();
  const me = useMe();
  const theme = useThemeChoice();
  return (
    <DialogTrigger>
      <Button look="plain" size="icon" aria-label="You and your settings">
        <CircleUserRound aria-hidden />
      </Button>
      <Popover className="popover" placement="bottom end">
        <Dialog className="menu" aria-label="You and your settings">
          {me && (
            <p className="menu-person">
              <strong>{me.name}</strong>
              <span className="quiet">
                {me.role === 'admin' ? 'Admin' : 'Supervisor'} · {me.business.name}
              </span>
            </p>
          )}
          <fieldset className="plain-fieldset">
            <legend className="label">Colours</legend>
            <div className="choice-row">
              {THEMES.map(({ id, label }) => (
                <Button key={id} size="small" aria-pressed={theme === id} onPress={() => chooseTheme(id)}>
                  {label}
                </Button>
              ))}
            </div>
          </fieldset>
          <Button
            onPress={() => {
              forgetDrafts();
              void session.signOut();
            }}
          >
            Sign out
          </Button>
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}

function AlertMenu() {
  const { anyMuted } = useAlerts();
  return (
    <DialogTrigger>
      <Button look="plain" size="icon" aria-label={anyMuted ? 'Alerts, some are muted' : 'Alerts'}>
        {anyMuted ? <BellOff aria-hidden /> : <Bell aria-hidden />}
      </Button>
      <Popover className="popover" placement="bottom end">
        <Dialog className="menu" aria-label="Alerts">
          <AlertSettings />
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}

/** After a reload nothing sounds until a person has done something: whoever counts on it must know. */
function SoundState() {
  const blocked = useSyncExternalStore(onSoundsChange, soundsBlocked);
  const { mutes } = useAlerts();
  if (!blocked || KINDS.every(({ id }) => mutes.has(muteOf(id, 'sound')))) return null;
  return (
    <Button size="small" onPress={allowSounds}>
      <VolumeX aria-hidden />
      Turn sound on
    </Button>
  );
}

export function Bar({ onHelp }: { readonly onHelp: () => void }) {
  const { settings } = useApp();
  const title = useCurrentTitle();
  return (
    <header className="bar">
      <div className="bar-title">
        {title && <h1>{title}</h1>}
        {settings.rehearsal && (
          <span className="tag tag-wait" title="Model and speech of this installation are scripted">
            Rehearsal
          </span>
        )}
      </div>
      <span className="bar-fill" />
      <ConnectionState />
      <SoundState />
      <AlertMenu />
      <span className="only-wide">
        <Button look="plain" size="icon" aria-label="Shortcuts" onPress={onHelp}>
          <CircleQuestionMark aria-hidden />
        </Button>
      </span>
      <PersonMenu />
    </header>
  );
}
