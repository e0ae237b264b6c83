import { Activity, Archive, Bot, ChartColumn, Settings2 } from 'lucide-react';
import { type ComponentType, type LazyExoticComponent, lazy } from 'react';

export interface ConsoleRoute {
  /** Below /console, in the form of wouter: `/interactions/:id`. */
  readonly path: string;
  readonly title: string;
  readonly page: LazyExoticComponent<ComponentType>;
  /** Its place in the navigation; without it the page is reached from others. */
  readonly navigation?: {
    readonly label: string;
    readonly icon: ComponentType<{ 'aria-hidden'?: boolean }>;
    /** Pressed after `g`. */
    readonly key: string;
    readonly adminOnly?: boolean;
  };
}

/** Every page of the console, in the order of the navigation. Each is loaded when it is first opened. */
export const ROUTES: readonly ConsoleRoute[] = [
  {
    path: '/',
    title: 'Floor',
    page: lazy(() => import('./floor/floor-page.tsx')),
    navigation: { label: 'Floor', icon: Activity, key: 'f' },
  },
  {
    path: '/interactions/:id',
    title: 'Interaction',
    page: lazy(() => import('./interaction/interaction-page.tsx')),
  },
  {
    path: '/history',
    title: 'History',
    page: lazy(() => import('./pages/history/history-page.tsx')),
    navigation: { label: 'History', icon: Archive, key: 'h' },
  },
  {
    path: '/history/:id',
    title: 'Conversation',
    page: lazy(() => import('./pages/history/archive-page.tsx')),
  },
  {
    path: '/performance',
    title: 'Performance',
    page: lazy(() => import('./pages/performance/performance-page.tsx')),
    navigation: { label: 'Performance', icon: ChartColumn, key: 'p' },
  },
  {
    path: '/agents',
    title: 'Agents',
    page: lazy(() => import('./pages/agents/agents-page.tsx')),
    navigation: { label: 'Agents', icon: Bot, key: 'a' },
  },
  { path: '/agents/:id', title: 'Agent', page: lazy(() => import('./pages/agents/agent-page.tsx')) },
  {
    path: '/admin',
    title: 'Administration',
    page: lazy(() => import('./pages/admin/admin-page.tsx')),
    navigation: { label: 'Admin', icon: Settings2, key: 'm', adminOnly: true },
  },
];
