import { Button as AriaButton, type ButtonProps as AriaButtonProps } from 'react-aria-components/Button';
import {
  ToggleButton as AriaToggleButton,
  type ToggleButtonProps as AriaToggleButtonProps,
} from 'react-aria-components/ToggleButton';

interface Look {
  readonly look?: 'normal' | 'primary' | 'danger' | 'plain';
  readonly size?: 'normal' | 'small' | 'icon';
  readonly className?: string;
}

function classes({ look = 'normal', size = 'normal', className = '' }: Look): string {
  return `button button-${look} button-${size} ${className}`;
}

/**
 * While it is pending it stays focused and takes no presses. (React Aria's own `isPending` wants a progress bar in the
 * button, and announces an empty name without one.)
 */
export function Button({
  look,
  size,
  className,
  isPending = false,
  onPress,
  ...rest
}: Omit<AriaButtonProps, 'className' | 'isPending'> & Look & { readonly isPending?: boolean }) {
  return (
    <AriaButton
      {...rest}
      {...(isPending ? { 'data-pending': true, 'aria-disabled': true } : {})}
      onPress={(event) => {
        if (!isPending) onPress?.(event);
      }}
      className={classes({ look, size, className })}
    />
  );
}

export function ToggleButton({
  look,
  size,
  className,
  ...rest
}: Omit<AriaToggleButtonProps, 'className'> & Look) {
  return <AriaToggleButton {...rest} className={classes({ look, size, className })} />;
}
