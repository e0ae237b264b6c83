import type { ReactNode } from 'react';
import { Table as AriaTable, Cell, Column, Row, TableBody, TableHeader } from 'react-aria-components/Table';

export interface TableColumn<T> {
  readonly id: string;
  readonly title: string;
  readonly cell: (row: T) => ReactNode;
  /** The column that names its row to screen readers. */
  readonly isName?: boolean;
  readonly isNumber?: boolean;
}

/** Arrow keys move between rows; Enter opens one where rows can be opened. */
export function Table<T extends object>({
  label,
  columns,
  rows,
  rowId,
  onOpen,
  empty,
}: {
  readonly label: string;
  readonly columns: readonly TableColumn<T>[];
  readonly rows: readonly T[];
  readonly rowId: (row: T) => string;
  readonly onOpen?: (id: string) => void;
  readonly empty: ReactNode;
}) {
  const named = columns.some((column) => column.isName);
  return (
    <div className="table-scroll">
      <AriaTable
        aria-label={label}
        className="table"
        {...(onOpen ? { onRowAction: (key: string | number) => onOpen(String(key)) } : {})}
      >
        <TableHeader>
          {columns.map(({ id, title, isName }, index) => (
            <Column key={id} id={id} isRowHeader={isName ?? (!named && index === 0)}>
              {title}
            </Column>
          ))}
        </TableHeader>
        <TableBody renderEmptyState={() => empty}>
          {rows.map((row) => (
            <Row key={rowId(row)} id={rowId(row)}>
              {columns.map(({ id, cell, isNumber }) => (
                <Cell key={id} className={isNumber ? 'numbers' : ''}>
                  {cell(row)}
                </Cell>
              ))}
            </Row>
          ))}
        </TableBody>
      </AriaTable>
    </div>
  );
}
