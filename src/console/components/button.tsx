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

/** While it is pending it stays focused, takes no presses, and says so to screen readers. */
export function Button({ look, size, className, ...rest }: Omit<AriaButtonProps, 'className'> & Look) {
  return <AriaButton {...rest} className={classes({ look, size, className })} />;
}

export function ToggleButton({
  look,
  size,
  className,
  ...rest
}: Omit<AriaToggleButtonProps, 'className'> & Look) {
  return <AriaToggleButton {...rest} className={classes({ look, size, className })} />;
}
