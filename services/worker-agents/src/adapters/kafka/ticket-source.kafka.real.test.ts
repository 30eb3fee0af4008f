import { KafkaTicketStage } from '../../testing/kafka-ticket-stage.ts';
import { ticketSourceContract } from '../../testing/ticket-source-contract.ts';

ticketSourceContract('Kafka', () => KafkaTicketStage.open());
