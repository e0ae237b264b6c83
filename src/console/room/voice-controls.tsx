import {
  RoomAudioRenderer,
  RoomContext,
  StartAudio,
  useLocalParticipant,
  useMediaDeviceSelect,
  useTrackVolume,
} from '@livekit/components-react';
import type { LocalAudioTrack, Room } from 'livekit-client';
import { Mic, MicOff } from 'lucide-react';
import { Button } from '../components/button.tsx';
import { Select } from '../components/field.tsx';
import type { Seat } from './desk.ts';

function Level({ track }: { readonly track: LocalAudioTrack | undefined }) {
  const volume = useTrackVolume(track);
  return (
    <meter
      className="level"
      aria-label="Level of your microphone"
      min={0}
      max={1}
      value={Math.min(1, volume * 2)}
    />
  );
}

function Microphone() {
  const { localParticipant, isMicrophoneEnabled, microphoneTrack } = useLocalParticipant();
  const { devices, activeDeviceId, setActiveMediaDevice } = useMediaDeviceSelect({ kind: 'audioinput' });
  const choices = devices.map(({ deviceId, label }, index) => ({
    id: deviceId,
    label: label || `Microphone ${index + 1}`,
  }));
  const track = microphoneTrack?.track as LocalAudioTrack | undefined;
  return (
    <div className="microphone">
      <Button
        aria-pressed={isMicrophoneEnabled}
        onPress={() => void localParticipant.setMicrophoneEnabled(!isMicrophoneEnabled).catch(() => {})}
      >
        {isMicrophoneEnabled ? <Mic aria-hidden /> : <MicOff aria-hidden />}
        {isMicrophoneEnabled ? 'Microphone is on' : 'Microphone is off'}
      </Button>
      {isMicrophoneEnabled && <Level track={track} />}
      {choices.length > 0 && (
        <Select
          label="Microphone"
          labelHidden
          choices={choices}
          value={choices.some(({ id }) => id === activeDeviceId) ? activeDeviceId : (choices[0]?.id ?? null)}
          onChange={(id) => void setActiveMediaDevice(id)}
        />
      )}
    </div>
  );
}

/** What is heard of the room, and this person's microphone when they have control. */
export default function VoiceControls({ room, mode }: { readonly room: Room; readonly mode: Seat['mode'] }) {
  return (
    <RoomContext value={room}>
      <RoomAudioRenderer />
      <StartAudio className="button" label="Turn the sound on" />
      {mode === 'control' && <Microphone />}
    </RoomContext>
  );
}
