import { type FormEvent, useEffect, useRef, useState } from 'react';
import { asProblem, type Problem } from '../client/problem.ts';
import { Button } from '../components/button.tsx';
import { TextInput } from '../components/field.tsx';
import { Notice } from '../components/notice.tsx';
import iconUrl from '../icon.svg';
import { useApp, useSessionState } from './app-context.ts';

/** Runs what a form asks for, and keeps whether it runs and how it failed. */
function useSubmit(submit: (fields: FormData) => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    submit(new FormData(event.currentTarget))
      .catch((error: unknown) => setProblem(asProblem(error)))
      .finally(() => setBusy(false));
  };
  return { busy, problem, onSubmit };
}

const field = (fields: FormData, name: string): string => String(fields.get(name) ?? '');

function PasswordForm() {
  const { session } = useApp();
  const { busy, problem, onSubmit } = useSubmit((fields) =>
    session.signIn(field(fields, 'email').trim(), field(fields, 'password')),
  );
  return (
    <form className="sign-in-form" onSubmit={onSubmit}>
      <TextInput label="E-mail" name="email" type="email" autoComplete="username" isRequired autoFocus />
      <TextInput
        label="Password"
        name="password"
        type="password"
        autoComplete="current-password"
        isRequired
      />
      <Outcome problem={problem} />
      <Button type="submit" look="primary" isPending={busy}>
        Sign in
      </Button>
    </form>
  );
}

function SecondFactorForm({ factorId }: { readonly factorId: string }) {
  const { session } = useApp();
  const { busy, problem, onSubmit } = useSubmit((fields) =>
    session.verifySecondFactor(factorId, field(fields, 'code').replaceAll(/\s/g, '')),
  );
  return (
    <form className="sign-in-form" onSubmit={onSubmit}>
      <TextInput
        label="Code from your authenticator app"
        name="code"
        inputMode="numeric"
        autoComplete="one-time-code"
        isRequired
        autoFocus
      />
      <Outcome problem={problem} />
      <Button type="submit" look="primary" isPending={busy}>
        Continue
      </Button>
      <Button look="plain" onPress={() => void session.signOut()}>
        Use another account
      </Button>
    </form>
  );
}

function NewPasswordForm() {
  const { session } = useApp();
  const { busy, problem, onSubmit } = useSubmit((fields) => session.setPassword(field(fields, 'password')));
  return (
    <form className="sign-in-form" onSubmit={onSubmit}>
      <p>Welcome. Choose a password for your account.</p>
      <TextInput
        label="New password"
        name="password"
        type="password"
        autoComplete="new-password"
        minLength={8}
        isRequired
        autoFocus
      />
      <Outcome problem={problem} />
      <Button type="submit" look="primary" isPending={busy}>
        Save and continue
      </Button>
    </form>
  );
}

function Outcome({ problem }: { readonly problem: Problem | null }) {
  const shown = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (problem) shown.current?.focus();
  }, [problem]);
  return (
    <div ref={shown} role="alert" tabIndex={-1}>
      {problem && (
        <Notice tone="critical">
          {problem.message} {problem.remedy}
        </Notice>
      )}
    </div>
  );
}

export function SignIn() {
  const { settings } = useApp();
  const state = useSessionState();
  useEffect(() => {
    document.title = 'Sign in · Floorwalker';
  }, []);
  return (
    <main className="sign-in">
      <div className="sign-in-card">
        <div className="sign-in-head">
          <img src={iconUrl} alt="" />
          <div>
            <h1>Floorwalker</h1>
            <p className="quiet">The supervisor’s console</p>
          </div>
        </div>
        {state.kind === 'signed-out' && state.reason && <Notice>{state.reason}</Notice>}
        {state.kind === 'second-factor' ? (
          <SecondFactorForm factorId={state.factorId} />
        ) : state.kind === 'new-password' ? (
          <NewPasswordForm />
        ) : (
          <PasswordForm />
        )}
        {settings.rehearsal && (
          <p className="field-hint">
            A rehearsal: the model and the speech of this installation are scripted. The demo’s accounts are
            in its file
            <code> demo.json</code>.
          </p>
        )}
      </div>
    </main>
  );
}
