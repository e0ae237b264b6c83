import { Component, type ReactNode } from 'react';
import { Button } from '../components/button.tsx';
import { Notice } from '../components/notice.tsx';

/** One page that fails must not take the navigation, the alerts and the live connection with it. */
export class ErrorBoundary extends Component<{ readonly children: ReactNode }, { readonly failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <div role="alert">
        <Notice tone="critical">
          <p>This page has failed. What happens on the floor is not affected.</p>
          <Button onPress={() => location.reload()}>Load it again</Button>
        </Notice>
      </div>
    );
  }
}
