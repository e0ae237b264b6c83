import { useState } from 'react';
import { Button } from '../components/button.tsx';
import { useAlerts } from './alerts-context.tsx';
import { KINDS, muteOf, WAYS } from './mutes.ts';

function DesktopPermission() {
  const [permission, setPermission] = useState('Notification' in window ? Notification.permission : 'denied');
  if (permission === 'granted') return null;
  if (permission === 'denied') {
    return <p className="field-hint">This browser does not allow desktop notifications for this page.</p>;
  }
  return (
    <Button size="small" onPress={() => void Notification.requestPermission().then(setPermission)}>
      Allow desktop notifications
    </Button>
  );
}

/** What alerts by which way; kept in this browser. */
export function AlertSettings() {
  const { mutes, setMuted } = useAlerts();
  return (
    <>
      <table className="alert-table">
        <caption className="label">Alert me</caption>
        <thead>
          <tr>
            <td />
            {WAYS.map(({ id, label }) => (
              <th key={id} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {KINDS.map((kind) => (
            <tr key={kind.id}>
              <th scope="row">{kind.label}</th>
              {WAYS.map((way) => (
                <td key={way.id}>
                  <input
                    type="checkbox"
                    aria-label={`${kind.label}: ${way.label}`}
                    checked={!mutes.has(muteOf(kind.id, way.id))}
                    onChange={(event) => setMuted(kind.id, way.id, !event.currentTarget.checked)}
                  />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <DesktopPermission />
    </>
  );
}
